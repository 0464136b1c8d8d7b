"""The same shopper in two scenes: run ``make demo SERVE=0`` first, then this."""

from engine import Engine, Scene

SCENES = {
    "a Tuesday morning": Scene(time="2017-12-05T08:30", place="store-406"),
    "the evening before Christmas Eve": Scene(
        time="2017-12-23T18:30", place="store-406", query="christmas baking"
    ),
}

with Engine.open("runs/demo") as engine:
    for name, scene in SCENES.items():
        print(f"\nhousehold-1228 on {name}")
        for r in engine.recommend("household-1228", scene, k=5):
            print(f"{r.rank}. {r.item.title} ({r.score:.2f}): {r.reason}")
