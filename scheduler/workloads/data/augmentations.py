"""Random changes of training images, by torchvision's transforms."""

from __future__ import annotations

from torchvision.transforms import v2

from scheduler.workloads.spec.augmentation import Augmentation

_BILINEAR = v2.InterpolationMode.BILINEAR


def augmentation(changes: Augmentation, edge: int) -> v2.Transform | None:
    """uint8 (C, H, W) → uint8 (C, edge, edge) with random changes, or None without any.

    RandAugment: Cubuk et al. 2020, "RandAugment: Practical Automated Data Augmentation with a
    Reduced Search Space".
    """
    if not changes.any:
        return None
    steps: list[v2.Transform] = []
    if changes.random_resized_crop:
        steps.append(v2.RandomResizedCrop(edge, antialias=True))
    else:
        steps.append(v2.Resize((edge, edge), antialias=True))
    if changes.flip:
        steps.append(v2.RandomHorizontalFlip())
    if changes.moves:
        scale = (1 - changes.scale, 1 + changes.scale) if changes.scale else None
        steps.append(v2.RandomAffine(changes.rotation, scale=scale, interpolation=_BILINEAR))
    if changes.rand_augment:
        operations, magnitude = changes.rand_augment, changes.rand_augment_magnitude
        steps.append(v2.RandAugment(operations, magnitude, interpolation=_BILINEAR))
    if changes.jitters:
        steps.append(
            v2.ColorJitter(changes.brightness, changes.contrast, changes.saturation, changes.hue)
        )
    return v2.Compose(steps)
