"""The loss curve as a picture."""

import matplotlib

matplotlib.use("Agg")  # a remote machine has no screen
from matplotlib import pyplot  # noqa: E402


def save_loss(history, path):
    figure, axes = pyplot.subplots(figsize=(6, 4))
    epochs = range(1, len(history) + 1)
    axes.plot(epochs, [row["loss"] for row in history], label="training")
    axes.plot(epochs, [row["test_loss"] for row in history], label="test")
    axes.set_xlabel("epoch")
    axes.set_ylabel("log loss")
    axes.set_yscale("log")
    axes.legend()
    figure.tight_layout()
    figure.savefig(path)
