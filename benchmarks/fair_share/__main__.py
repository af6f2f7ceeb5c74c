"""How two projects share a cluster that both flood, under each policy of the service, simulated.

python -m benchmarks.fair_share [--policies fcfs,wgc,…] [--cases equal,long] [--json]

Project `vision` has 3 shares, `speech` one. Each has more jobs than the cluster can do in an hour.
The figures are the device-seconds that `vision` got for each of `speech` in the first hour: 3 is
fair, 2.7 to 3.3 is within 10 %. The cases are jobs that are equal in both projects; jobs of
`speech` that are four times as long; and jobs of `vision` that all have priority 100.
"""

from __future__ import annotations

import argparse
import json
import sys

from benchmarks.fair_share.flood import CASES, fair, policies, ratio, used


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m benchmarks.fair_share")
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--policies", metavar="NAMES", help="default: all that the service offers")
    parser.add_argument("--cases", metavar="NAMES", default=",".join(CASES))
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    names = options.policies.split(",") if options.policies else policies()
    cases = options.cases.split(",")
    found: dict[str, dict[str, float]] = {}
    if not options.json:
        print(f"{'POLICY':<18}" + "".join(f"{case:>10}" for case in cases))
    for name in names:
        found[name] = {case: ratio(used(name, case)) for case in cases}
        if not options.json:
            print(f"{name:<18}" + "".join(f"{value:>10.3f}" for value in found[name].values()))
    if options.json:
        print(json.dumps(found, indent=1))
    if not all(fair(value) for row in found.values() for value in row.values()):
        print("not within 10 % of 3 : 1 everywhere", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
