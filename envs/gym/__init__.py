"""The Gymnasium environment `Fulcrum/Cluster-v0`."""
