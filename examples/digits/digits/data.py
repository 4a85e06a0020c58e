"""The data: 1,797 digits of 8x8 pixels, made more by shifting each by a pixel in four directions."""

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

SHIFTS = ((0, 1), (0, -1), (1, 0), (-1, 0))


def shifted(images):
    """The images and their four shifted copies, as rows of 64 pixels between 0 and 1."""
    copies = [images] + [np.roll(images, step, axis=(1, 2)) for step in SHIFTS]
    return np.concatenate(copies).reshape(-1, 64) / 16.0


def load(seed):
    """(train_x, train_y, test_x, test_y); only the training part is augmented."""
    digits = load_digits()
    train, test, train_y, test_y = train_test_split(
        digits.images, digits.target, test_size=0.25, random_state=seed, stratify=digits.target)
    return shifted(train), np.tile(train_y, len(SHIFTS) + 1), test.reshape(-1, 64) / 16.0, test_y
