"""Which policy decides, and how it is compared with others."""
