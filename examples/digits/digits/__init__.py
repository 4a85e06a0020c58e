"""A small training on scikit-learn's handwritten digits."""
