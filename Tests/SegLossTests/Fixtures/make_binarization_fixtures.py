"""Makes binarization.json of a folder of golden numbers: the cases of DB's code that take two maps, and the binary map
itself with the gradient of its sum.

    python3 make_binarization_fixtures.py FOLDER
"""

import json
import pathlib
import sys

folder = pathlib.Path(sys.argv[1])
inputs = json.loads((folder / "inputs.json").read_text())
inputs = {name: entry["arrays"] for name, entry in inputs["inputs"].items()}
cases = {case["name"]: case for case in json.loads((folder / "db.json").read_text())["cases"]}


def flat(entry):
    values = []

    def walk(x):
        if isinstance(x, list):
            for y in x:
                walk(y)
        else:
            values.append(x)

    walk(entry["data"] if isinstance(entry, dict) else entry)
    return values


def case(name, main, weights):
    golden = cases[name]
    count = len(flat(inputs[golden["input"]]["P"]))
    zeros = [0] * count
    return {
        "name": name,
        "input": golden["input"],
        "main": main,
        "weights": weights,
        "value": golden["value"],
        "map": flat(golden["gradient"]["P"]) if "P" in golden["gradient"] else zeros,
        "threshold": flat(golden["gradient"]["T"]) if "T" in golden["gradient"] else zeros,
    }


made = [
    case("db/dice_on_binarization", "balanced", [0, 0, 1]),
    case("db/combined_l1_balance_ce", "balanced", [5, 10, 1]),
    case("db/combined_l1_balance_ce_no_text", "balanced", [5, 10, 1]),
    case("db/combined_l1_dice", "dice", [1, 10, 1]),
    case("db/combined_other_scales", "balanced", [2, 3, 1]),
    case("db/masked_l1", "balanced", [0, 1, 0]),
    case("db/masked_l1_empty", "balanced", [0, 1, 0]),
    case("db/balanced_bce", "balanced", [1, 0, 0]),
]
golden = cases["db/differentiable_binarization"]
binary_map = {
    "input": golden["input"],
    "steepness": golden["options"]["k"],
    "sum": golden["value"],
    "values": flat(golden["output"]),
    "map": flat(golden["gradient"]["P"]),
    "threshold": flat(golden["gradient"]["T"]),
}
book = {
    "inputs": {
        name: {key: flat(inputs[name][key]) for key in ["P", "T", "gt", "mask", "threshold_map", "threshold_mask"]}
        for name in ["db", "db_empty"]
    },
    "cases": made,
    "binary_map": binary_map,
}
path = pathlib.Path(__file__).with_name("binarization.json")
path.write_text(json.dumps(book, separators=(",", ":")) + "\n")
