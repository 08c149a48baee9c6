"""The analytic rule in a training loop of your own, on the bundled digits.

Run: python examples/own_loop.py
"""

import torch

from holonet import nn
from holonet.attacks import ThreatModel, pgd
from holonet.data import load_digits
from holonet.training import AnalyticRule, accuracy


def main(epochs: int = 30) -> None:
    """Train a holomorphic network with one loss line, then attack it."""
    torch.manual_seed(0)
    data = load_digits()
    model = nn.holomorphic_mlp(in_features=64, hidden=[64, 64], num_classes=10)
    rule = AnalyticRule(weight=0.03)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(epochs):
        for index in torch.randperm(len(data.x_train)).split(64):
            optimizer.zero_grad()
            rule(model, data.x_train[index], data.y_train[index]).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
    attacked = pgd(model, data.x_test, data.y_test, ThreatModel("Linf", eps=0.1))
    print(f"clean accuracy     {100 * accuracy(model, data.x_test, data.y_test):.1f}%")
    print(f"under PGD, eps 0.1 {100 * attacked.accuracy:.1f}%")


if __name__ == "__main__":
    main()
