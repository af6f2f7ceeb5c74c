"""The live service: submit, decide, launch, reconcile."""
