"""Generates the Keras files of ``tests/larq/`` with larq, and Keras' own predictions.

They are generated once and stored, because larq needs an older TensorFlow; sbgen needs neither. In a separate
environment (Python 3.11)::

    pip install "tensorflow-cpu==2.15.1" "larq==0.13.3" h5py scikit-learn
    python benchmarks/larq_fixtures.py tests/larq

Each network becomes ``NAME.h5``, and ``NAME.npz`` with `images` (uint8) and `logits`, the values before the
softmax.
"""

import argparse
import os
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import h5py
import larq as lq
import numpy as np
import tensorflow as tf
from sklearn.datasets import load_digits

keras = tf.keras
IMAGES = 32

BINARY = {
    "input_quantizer": "ste_sign",
    "kernel_quantizer": "ste_sign",
    "kernel_constraint": "weight_clip",
    "use_bias": False,
}
FIRST = {**BINARY, "input_quantizer": None}


def mlp():
    """Dense layers, batch norm without and with scale."""
    return keras.Sequential(
        [
            keras.layers.Flatten(input_shape=(8, 8, 1)),
            lq.layers.QuantDense(48, **FIRST),
            keras.layers.BatchNormalization(scale=False),
            lq.layers.QuantDense(48, **BINARY),
            keras.layers.BatchNormalization(),
            lq.layers.QuantDense(10, **BINARY),
            keras.layers.BatchNormalization(scale=False),
            keras.layers.Activation("softmax"),
        ]
    )


def cnn():
    """Every kind of layer: paddings of either sign, a pool before its norm, depthwise, ternary, biases, a
    global mean.
    """
    return keras.Sequential(
        [
            lq.layers.QuantConv2D(12, 3, padding="same", pad_values=-1.0, input_shape=(8, 8, 1), **FIRST),
            keras.layers.MaxPooling2D(2),
            keras.layers.BatchNormalization(scale=False),
            lq.layers.QuantConv2D(
                12, 3, padding="same", pad_values=1.0, **{**BINARY, "input_quantizer": "approx_sign"}
            ),
            keras.layers.BatchNormalization(),
            lq.layers.QuantDepthwiseConv2D(
                2,
                input_quantizer="swish_sign",
                depthwise_quantizer="ste_sign",
                depth_multiplier=2,
                depthwise_constraint="weight_clip",
                use_bias=True,
            ),
            keras.layers.BatchNormalization(),
            lq.quantizers.SteSign(),
            keras.layers.GlobalAveragePooling2D(),
            lq.layers.QuantDense(
                32, kernel_quantizer=lq.quantizers.SteTern(threshold_value=0.1), use_bias=True
            ),
            keras.layers.BatchNormalization(),
            keras.layers.Activation("hard_tanh"),
            lq.layers.QuantDense(10, **{**BINARY, "use_bias": True}),
            keras.layers.Softmax(),
        ]
    )


def shortcut():
    """A functional model whose blocks add what they took."""
    x = inputs = keras.Input((8, 8, 1))
    x = lq.layers.QuantConv2D(16, 3, **FIRST)(x)
    x = lq.quantizers.SteSign()(keras.layers.BatchNormalization(scale=False)(x))
    for _ in range(2):
        branch = lq.layers.QuantConv2D(
            16, 3, padding="same", pad_values=1.0, **{**BINARY, "input_quantizer": None}
        )(x)
        x = keras.layers.Add()([branch, x])
        x = lq.quantizers.SteSign()(keras.layers.BatchNormalization()(x))
    x = keras.layers.AveragePooling2D(2)(x)
    x = keras.layers.Flatten()(x)
    x = lq.layers.QuantDense(
        10, kernel_quantizer="ste_sign", kernel_constraint="weight_clip", use_bias=False
    )(x)
    return keras.Model(inputs, keras.layers.Activation("softmax")(keras.layers.BatchNormalization()(x)))


def make(folder, name, build, x, y):
    tf.keras.utils.set_random_seed(1)
    model = build()
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy", ["accuracy"])
    model.fit(x[:1500] / 127.5 - 1, y[:1500], batch_size=50, epochs=12, verbose=0)
    _, right = model.evaluate(x[1500:] / 127.5 - 1, y[1500:], verbose=0)
    path = folder / f"{name}.h5"
    model.save(path, include_optimizer=False)
    images = x[1500 : 1500 + IMAGES]
    scores = keras.Model(model.input, model.layers[-2].output)
    logits = scores.predict((images / np.float32(127.5) - np.float32(1)).astype(np.float32), verbose=0)
    np.savez_compressed(path.with_suffix(".npz"), images=images, logits=logits)
    with h5py.File(path, "r") as file:
        version = file.attrs["keras_version"]
    print(
        f"{name}: {right:.1%} of {len(x) - 1500} test images, {path.stat().st_size:,} bytes, Keras {version}",
        flush=True,
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    folder.mkdir(exist_ok=True)
    tf.config.threading.set_intra_op_parallelism_threads(1)
    digits = load_digits()
    x, y = (digits.images * 15).astype(np.uint8)[..., None], digits.target
    for name, build in (("mlp", mlp), ("cnn", cnn), ("shortcut", shortcut)):
        make(folder, name, build, x, y)


if __name__ == "__main__":
    main()
