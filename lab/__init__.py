"""What the pack is made and judged with: benchmarks, training, headless client, workflow builder. Not published."""
