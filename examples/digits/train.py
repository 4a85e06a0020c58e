"""Trains a small neural network to read digits; writes bin/model.joblib, bin/metrics.json and bin/loss.png."""

import argparse
import json
import logging
import pathlib
import sys
import time

import joblib
import numpy as np
from sklearn.metrics import log_loss

from digits import data, model, plot


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--hidden", type=int, default=192, help="neurons of the first hidden layer")
    parser.add_argument("--rate", type=float, default=3e-4, help="learning rate")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("bin"))
    return parser.parse_args()


def train(arguments):
    """The trained model and one row of numbers per epoch."""
    train_x, train_y, test_x, test_y = data.load(arguments.seed)
    logging.info("%d digits to train on, %d to test on", len(train_y), len(test_y))
    network = model.make(arguments.hidden, arguments.rate, arguments.seed)
    random = np.random.default_rng(arguments.seed)
    history = []
    for epoch in range(1, arguments.epochs + 1):
        started = time.monotonic()
        loss = model.train_epoch(network, train_x, train_y, random)
        row = {"loss": float(loss),
               "test_loss": float(log_loss(test_y, network.predict_proba(test_x), labels=model.CLASSES)),
               "test_accuracy": float(network.score(test_x, test_y))}
        history.append(row)
        logging.info("epoch %d/%d loss %.4f test_loss %.4f test_accuracy %.4f (%.2f s)", epoch, arguments.epochs,
                     row["loss"], row["test_loss"], row["test_accuracy"], time.monotonic() - started)
    return network, history


def main():
    # logging flushes after each line, so that a follower sees an epoch when it ends.
    logging.basicConfig(stream=sys.stdout, level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    arguments = parse_arguments()
    network, history = train(arguments)
    arguments.out.mkdir(parents=True, exist_ok=True)
    joblib.dump(network, arguments.out / "model.joblib")
    (arguments.out / "metrics.json").write_text(json.dumps({"epochs": history, **history[-1]}, indent=1) + "\n")
    plot.save_loss(history, arguments.out / "loss.png")
    logging.info("wrote %s", ", ".join(sorted(str(path) for path in arguments.out.iterdir())))


if __name__ == "__main__":
    main()
