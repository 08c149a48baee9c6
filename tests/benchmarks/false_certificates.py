"""Is a certificate ever wrong? Random networks beside their enclosures, as many as you like.

Run: python tests/benchmarks/false_certificates.py [--blocks 9] [--first 0]

Case k is a network with three examples and a set, drawn from the seed k: 1 to 4 affine layers,
dense or convolutional, real, complex or both, with every record of the catalogue between them,
shared layers, residual blocks, normalizers, pooling and thresholds, weights times 1e-3 to 1e3,
examples at the bounds, radii from 1e-12 to 10, in float32 and float64. 9 blocks of 50 cases have
10^7 executed points and 10^5 attacks. Each value of each layer is held beside its enclosure, and
each margin beside its bound by every method that is for the network. Attacks go on in the image box
of the layers in front, and at the largest radius at which an example is certified.

Prints every fault, then what a block counted.
"""

import argparse
import os
import sys
import time
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from random_certified import Findings, block_findings


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--blocks", type=int, default=9, help="of 50 cases each")
    parser.add_argument("--first", type=int, default=0, help="number of the first block")
    options = parser.parse_args()
    os.environ["HOLONET_BACKEND"] = "reference"
    torch.set_num_threads(1)
    whole = Findings()
    for block in range(options.first, options.first + options.blocks):
        start = time.process_time()
        found = block_findings(block)
        for fault in found.faults:
            print(f"FAULT: {fault}")
        print(f"block {block}: {found.summary}, {time.process_time() - start:.0f} s of a processor")
        whole += found
    print(f"in all: {whole.summary}")
    return int(whole.violations > 0)


if __name__ == "__main__":
    sys.exit(main())
