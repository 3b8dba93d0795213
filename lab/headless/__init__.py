"""Workflows on a ComfyUI server without a browser: `python -m lab.headless run workflow.json` (docs/api.md).

client       one prompt on a server: submitted, followed, its outputs fetched
errors       what can go wrong, and the exit codes
graph        an API-format workflow: read, and edited
node_types   what the server's nodes take and give
overrides    --set and --sweep, from text to inputs
spelling     did you mean ...?
acceleration BlockDance Auto in front of every sampler
calibration  a Calibrate node in place of the sampler
bypass       the same workflow without this pack
compared     which outputs show what the pack has changed
comparison   the same picture several ways: paired times and quality
fleet        a comparison spread over several servers
quality      PSNR and SSIM of pictures and videos
row          a line of a comparison, and which lines are best
outputs      results as files, comparisons as tables and as a picture
running      a prompt with a bar while it runs and a line when it is done
comparing    what --compare and --sweep do
progress     the bar
"""
