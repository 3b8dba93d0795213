def write(record, comfyui):
    return ""
