"""What a service says of running trainings, against what they really did."""
