"""What this machine has: its CPUs and GPUs as pools, with default price, power and rate."""

from scheduler.hardware.figures import DeviceFigures, figures_for
from scheduler.hardware.inventory import Inventory, cluster, detect

__all__ = ["DeviceFigures", "Inventory", "cluster", "detect", "figures_for"]
