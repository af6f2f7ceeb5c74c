"""A recurrent network as a job: an LSTM reads handwritten digits row by row.

fulcrum run --resumable --follow -- python examples/lstm.py --epochs 12
fulcrum preempt lstm.py          # it saves its state, and goes on when it runs again

It reports its progress, loss and accuracy, saves a checkpoint after each epoch and before it is
preempted, and leaves the weights as an artifact. It is an ordinary program: without Fulcrum it runs
as it is.
"""

import argparse
import json
import os
import time

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn

from fulcrum import artifact, checkpoint, report, save_checkpoint, stop_requested

STATE = "state.pt"


class RowReader(nn.Module):
    """Reads 8 rows of 8 pixels, one after the other, and names the digit."""

    def __init__(self, hidden: int = 64) -> None:
        super().__init__()
        self.lstm = nn.LSTM(input_size=8, hidden_size=hidden, batch_first=True)
        self.head = nn.Linear(hidden, 10)

    def forward(self, rows: Tensor) -> Tensor:
        """Rows (N, 8, 8) → logits (N, 10)."""
        states, _ = self.lstm(rows)
        logits: Tensor = self.head(states[:, -1])
        return logits


def data() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Images and labels for training, then for the test: every fifth image."""
    digits = load_digits()
    images = torch.tensor(digits.images / 16, dtype=torch.float32)
    labels = torch.tensor(digits.target)
    test = torch.arange(len(labels)) % 5 == 0
    return images[~test], labels[~test], images[test], labels[test]


def main() -> None:
    """Train from the saved epoch on."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--learning-rate", type=float, default=3e-3)
    parser.add_argument("--pause", type=float, default=0.0, help="seconds after each epoch")
    options = parser.parse_args()

    torch.set_num_threads(int(os.environ.get("FULCRUM_WIDTH", "1")))
    torch.manual_seed(0)
    network = RowReader()
    optimizer = torch.optim.Adam(network.parameters(), lr=options.learning_rate)
    first = resume(network, optimizer)
    images, labels, test_images, test_labels = data()

    for epoch in range(first, options.epochs):
        order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(epoch))
        size = options.batch_size
        batches = [order[at : at + size] for at in range(0, len(order), size)]
        total = 0.0
        for step, batch in enumerate(batches, 1):
            loss = nn.functional.cross_entropy(network(images[batch]), labels[batch])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            total += loss.item() * len(batch)
            report(epoch=epoch, epochs=options.epochs, step=step, steps=len(batches))
        accuracy = measure(network, test_images, test_labels)
        figures = {"loss": total / len(labels), "accuracy": accuracy}
        report(epoch=epoch + 1, epochs=options.epochs, **figures)
        print(f"epoch {epoch + 1}/{options.epochs}: {json.dumps(figures)}", flush=True)
        save(network, optimizer, epoch + 1)
        wait(options.pause)
        if stop_requested():
            print(f"stops after epoch {epoch + 1}", flush=True)
            return
    torch.save(network.state_dict(), artifact("lstm.pt"))
    report(accuracy=measure(network, test_images, test_labels))


def wait(seconds: float) -> None:
    """Let time pass, so that there is some to preempt the job in."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and not stop_requested():
        time.sleep(0.05)


def measure(network: nn.Module, images: Tensor, labels: Tensor) -> float:
    """The share of the images that it reads right."""
    with torch.no_grad():
        return float((network(images).argmax(1) == labels).float().mean())


def resume(network: nn.Module, optimizer: torch.optim.Optimizer) -> int:
    """Load what an earlier attempt has saved; the number of its epochs."""
    stop_requested()  # from here on SIGTERM asks to stop
    saved = checkpoint(STATE)
    if saved is None:
        return 0
    state = torch.load(saved, weights_only=True)
    network.load_state_dict(state["network"])
    optimizer.load_state_dict(state["optimizer"])
    print(f"goes on after epoch {state['epoch']}", flush=True)
    return int(state["epoch"])


def save(network: nn.Module, optimizer: torch.optim.Optimizer, epoch: int) -> None:
    """Save all that the next attempt needs."""
    state = {"network": network.state_dict(), "optimizer": optimizer.state_dict(), "epoch": epoch}
    with save_checkpoint(STATE) as path:
        torch.save(state, path)


if __name__ == "__main__":
    main()
