"""Print every capture and every negative with the expected and the actual verdict; `make evidence`."""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "attestation" / "evidence"))
import evidence_cases as cases
from parley_attestation.evidence import appraise


def main() -> int:
    """Print the table and return 1 where one row is not as expected."""
    expected = json.loads(cases.read("expected.json"))
    wrong = 0
    print(f"{'evidence':40} {'expected':28} {'actual':25} {'class':22} findings under the strict policy")  # noqa: T201 - a table for a terminal
    for case in (*cases.captures(), *cases.negatives()):
        item = case.item()
        references = [cases.own_reference(item, case.at)] if case.passes else []
        binder = cases.own_binder(item, case.at) if case.passes else None
        result = appraise(item, cases.make_policy(cases.rules(references=references)), binder, case.at)
        findings = [c.finding.value for c in result.failures]
        classes = ",".join(result.reasons)
        verdict = "genuine" if result.authentic else "refused"
        due = "genuine" if case.passes else "refused"
        right = (
            verdict == due
            and findings == expected[case.name]
            and (not case.layer or bool(cases.LAYERS[case.layer] & set(classes.split(","))))
        )
        wrong += not right
        due, verdict = f"{due} {case.layer}", f"{verdict}, {result.status}"
        line = f"{case.name:40} {due:28} {verdict:25} {classes:22} "
        print(line + " ".join(findings) + ("" if right else "   <-- NOT AS EXPECTED"))  # noqa: T201 - a table for a terminal
    print(f"{len(expected)} rows, {wrong} not as expected")  # noqa: T201 - a table for a terminal
    return int(wrong > 0)


if __name__ == "__main__":
    raise SystemExit(main())
