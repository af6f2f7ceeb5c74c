"""Jobs as people submit, repeat, change and cancel them."""
