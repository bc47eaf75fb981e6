"""What `ablations.py` switches off or on, recipe by recipe: overrides of a training's config."""

from bgm.data.procedural.fields import KINDS

SHORT = ["data_root=.", "trainer.accelerator=cpu", "trainer.logger=false"]
SHORT += ["trainer.val_check_interval=null", "+trainer.limit_val_batches=0"]
SHORT += ["stage.final_lr=0.02", "callbacks.ema.decay=0.9", "callbacks.ema.update_every_n_steps=5"]
SHORT += [f"~callbacks.{name}" for name in ("best", "last", "pictures", "progress")]
PROCEDURAL = ["experiment=procedural", "stage.warmup_steps=40"]
REFINE = ["experiment=people_refine", "init_is=null", "stage.warmup_steps=10"]
REFINE += ["stage.lr.base.decoder={conv3:1e-4,conv4:1e-4}", "stage.lr.refiner=1e-3"]
SCRATCH = ["augment.size=96", "augment.crop=[84,96]"]
SCRATCH += ["callbacks.grow.phases=[[0.0,60,72],[0.35,72,84],[0.7,84,96]]"]
# From where the recipe ends, at its last size. At its own rates a network that goes on learns and
# forgets at random (two seeds of the full recipe came from 16.7 to 12.6 and 37.9), and at 96 px it
# forgets how larger pictures look (20.4 and 25.2).
GOING_ON = ["~callbacks.grow", "stage.lr={backbone:5e-4,aspp:1e-3,decoder:1e-3}"]
NEW = ("spill", "reflection", "contact", "cast")  # switched off in the recipe that ships


def ranges(**fields: object) -> list[str]:
    """Overrides of the generator's ranges."""
    at = "data.train.dataset.ranges"
    target = f"+{at}._target_=bgm.data.procedural.ranges.Ranges"
    return [target, *(f"+{at}.{name}={value}" for name, value in fields.items())]


def off(*ingredients: str) -> list[str]:
    """Overrides that never draw these of the augmentation."""
    return [f"augment.{name}.p=0" for name in ingredients]


def lit(*ingredients: str) -> list[str]:
    """Overrides that draw these of what the recipe that ships has not."""
    rest = [name for name in NEW if name not in ingredients]
    return ["augment=procedural_captures", *off(*rest)]


MOVING = ["+ranges@data.train.dataset.ranges=captures"]
SWITCHES: dict[str, list[str]] = {
    "full": [],
    "- hair": ranges(hair_count="[0,0]", frizz=0, whiskers=0),
    "- fur": ranges(fur_count="[0,0]"),
    "- camouflage": ranges(disguise=0, mimic=0),
    "- glass, smoke, ghosts": ranges(glass=0, smoke=0, ghost=0),
    "- soft edges": ranges(soft=0, ragged=0),
    "- textures": ranges(**dict.fromkeys(KINDS[1:], 0)),
    "- clutter, bystanders": ranges(clutter="[0,0]", standee=0),
    "- light of its own": ranges(light="[1,1]", cast="[0,0]", shade="[0,0]", relief="[0,0]"),
    "- plate shift": off("plate_shift", "plate_affine"),
    "- plate exposure, colour": off("plate_exposure", "plate_jitter"),
    "- noise": off("noise"),
    "- shadow": off("shadow"),
    "- own backgrounds": ["data.train.own=0"],
    "+ motion": MOVING,
    **{f"+ {name}": lit(name) for name in NEW},
    "+ all of these": MOVING + lit(*NEW),
}
OF_REFINE: dict[str, list[str]] = {
    "full": [],
    "- photographs": ["data.train.background_share=0", "data.train.texture=0"],
    "- rendered people": ["data.train.subject_share=0"],
    "- patterns of photographs": ["data.train.texture=0"],
    "- subjects made smaller": ["augment.fgr_affine.scale=[0.9,1.4]"],
    "- exact plates": ["augment.exact=0"],
    "+ shadows": ["augment.shadow.p=0.3"],
    "+ exposures": ["augment.plate_exposure.gain=1.15", "augment.plate_exposure.gamma=1.25"],
    "+ soft outlines": ["+augment.outline={_target_:bgm.augment.SoftOutline,p:0.6}"],
    "+ fringes": ["+augment.fringe={_target_:bgm.augment.Fringe,p:0.4}"],
    "+ soft outlines, fringes": [
        "+augment.outline={_target_:bgm.augment.SoftOutline,p:0.6}",
        "+augment.fringe={_target_:bgm.augment.Fringe,p:0.4}",
    ],
    "- Sobel": ["loss.pha_sobel=0"],
    "+ Laplacian": ["loss.pha_laplacian=0.1"],
    "+ band": ["loss.pha_transition=0.25"],
    "+ composite": ["loss.com_other=1"],
    "+ re-composite": ["loss.com_plate=1"],
}
BASE = ["experiment=people", "stage.warmup_steps=20"]
OF_BASE: dict[str, list[str]] = {
    "full": [],
    "- ImageNet's weights": ["init=null"],
    **{name: OF_REFINE[name] for name in ("- photographs", "- rendered people")},
    "- colours of the place": ["data.train.recolour=0"],
}
SWITCHES_OF = {"procedural": SWITCHES, "base": OF_BASE, "refine": OF_REFINE}
