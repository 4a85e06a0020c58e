"""The model and one epoch of its training."""

import numpy as np
from sklearn.metrics import log_loss
from sklearn.neural_network import MLPClassifier

CLASSES = np.arange(10)
BATCH = 64


def make(hidden, rate, seed):
    return MLPClassifier(hidden_layer_sizes=(hidden, hidden // 2), learning_rate_init=rate, batch_size=BATCH,
                         random_state=seed)


def train_epoch(model, x, y, random):
    """One pass over the data in random order, in full batches; gives the loss on the training data."""
    order = random.permutation(len(y))
    for start in range(0, len(y) - BATCH + 1, BATCH):
        batch = order[start:start + BATCH]
        model.partial_fit(x[batch], y[batch], classes=CLASSES)
    return log_loss(y, model.predict_proba(x), labels=CLASSES)
