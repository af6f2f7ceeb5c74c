"""What the OpenAPI document says beyond the models: examples, and the problems of each endpoint."""
