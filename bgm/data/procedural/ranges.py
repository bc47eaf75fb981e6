"""Every choice of the procedural generator as a named, documented range."""

from dataclasses import dataclass

Range = tuple[float, float]


@dataclass(frozen=True)
class Ranges:
    """What `Procedural` draws from; pairs are uniform (low, high), other numbers probabilities.

    Lengths are fractions of the frame's short side, so content looks alike at any size; colours and
    amplitudes in [0, 1] units of the picture. Kinds of subject and texture are relative weights.
    conf/ranges/all.yaml has all of it for configs, and a test that it is the same.
    """

    # Subject: relative weights of the kinds (see `figures`).
    portrait: float = 4.0  # head and shoulders, cut by the lower border
    person: float = 4.0  # whole figure, limbs apart: gaps between arm and body
    animal: float = 3.0  # four legs, neck, head, ears or horns, tail
    beast: float = 2.0  # close-up of an animal: large, furred, cut by one or two borders
    plant: float = 1.0  # leaves: many islands and holes
    objects: float = 1.0  # rings, bars, lumps
    second: float = 0.15  # a second subject of another kind
    empty: float = 0.02  # nearly nothing of the subject in the frame
    full: float = 0.03  # the subject fills nearly all of the frame
    zoom: Range = (0.75, 1.35)  # size relative to the kind's usual one
    tilt: Range = (-0.15, 0.15)  # rotation of the whole subject, radians
    outline_exponent: Range = (1.2, 1.8)  # spectrum of the noise that makes outlines ragged
    bend: Range = (0.0, 0.05)  # displacement of outlines by low-frequency noise
    melt: Range = (0.006, 0.03)  # radius of the smooth union of body parts

    # Edges.
    ragged: float = 0.35  # outlines displaced by fine noise (cloth, fur)
    ragged_size: Range = (0.002, 0.02)  # by how much
    edge: Range = (0.5, 1.3)  # half width of a sharp edge, in pixels: optics, not geometry
    soft: float = 0.35  # part of the outline is soft (motion, defocus)
    soft_size: Range = (0.005, 0.06)  # half width of the softest part
    holes: float = 0.08  # ellipses cut out of the subject
    spot_size: Range = (0.02, 0.2)  # radii of holes and of glass; smoke is three times as large
    glass: float = 0.15  # parts of the subject are transparent
    glass_through: Range = (0.3, 0.9)  # how much of the background shows through them
    ghost: float = 0.03  # the whole subject is transparent
    ghost_pha: Range = (0.3, 0.9)  # alpha of such a subject
    smoke: float = 0.08  # a cloud of noise-like partial alpha
    smoke_pha: Range = (0.3, 1.0)  # its largest alpha
    motion: float = 0.0  # the whole subject moved while the shutter was open
    motion_length: Range = (0.01, 0.08)  # by so much, any way

    # Strands; counts are per subject, before clipping at the frame.
    hair: float = 0.75  # of those that have a head
    hair_count: Range = (150, 1200)
    hair_length: Range = (0.25, 2.2)  # in head radii
    hair_tuft: Range = (0.05, 0.6)  # how far strands of one tuft differ, as share of length
    flyaway: Range = (0.02, 0.15)  # share of strands that leave their tuft
    frizz: float = 0.4  # of heads: the mass of hair has a curly outline
    frizz_size: Range = (0.008, 0.035)
    fur: float = 0.6  # of animals and plants: short strands along the outline (always for beasts)
    fur_count: Range = (800, 5000)
    fur_length: Range = (0.012, 0.07)
    whiskers: float = 0.25  # a few long, thin, straight strands
    gloss: Range = (-0.4, 0.6)  # strands are brighter than what lies between them
    strand_weight: Range = (0.35, 1.5)  # opacity of a strand one pixel wide

    # Textures of every layer: relative weights of the kinds (see `fields`).
    smooth: float = 4.0
    stripes: float = 1.0
    plaid: float = 0.7
    tiles: float = 1.2
    cells: float = 1.5
    dots: float = 0.7
    patches: float = 1.5
    text: float = 0.7
    leaves: float = 2.0
    frequency: Range = (2.0, 40.0)  # cells or periods a short side, log-uniform
    warp: Range = (0.0, 0.35)  # bending of patterns, in periods, cubed towards 0
    contrast: Range = (0.0, 1.0)  # spread of a layer's palette around its main colour
    exponent: Range = (0.8, 2.2)  # noise amplitude falls as frequency ** -exponent
    grain: Range = (0.0, 0.14)  # luminance noise of that spectrum
    chroma: Range = (0.0, 0.035)  # the same for colour
    shade: Range = (0.0, 0.45)  # linear falloff of light over the frame
    relief: Range = (0.0, 0.45)  # shading of the subject by its thickness
    dark: float = 0.08  # night scenes
    dark_gain: Range = (0.12, 0.6)  # their exposure
    exposure: Range = (0.8, 1.15)  # that of the others
    gray: float = 0.06  # black and white pictures
    light: Range = (0.7, 1.25)  # gain of the subject's light against the background's
    cast: Range = (-0.06, 0.06)  # its colour cast

    # Background.
    clutter: Range = (0, 12)  # objects in front of it, at most 12
    clutter_size: Range = (0.045, 0.6)  # their radius, most of them small
    horizon: float = 0.6  # it has a floor and a wall rather than one surface
    horizon_height: Range = (-0.2, 0.35)  # their border below the frame's centre, in heights
    horizon_rough: float = 0.15  # largest amplitude of a border that is not straight
    standee: float = 0.25  # a figure that belongs to the background
    defocus: float = 0.45  # it is out of focus
    defocus_level: Range = (0.5, 4.5)  # depth in a blur pyramid whose level 5 is a thirtieth side
    fgr_defocus: float = 0.1  # the subject's texture is (mildly) out of focus
    fgr_defocus_level: Range = (0.3, 1.6)  # depth in a pyramid of its own, in pixels 2 ** level
    optics: Range = (0.02, 0.22)  # blur of both by [a, 1 - 2 a, a]: no edge is a staircase

    # Camouflage: each of the subject's layers on its own.
    disguise: float = 0.18  # takes a palette of the background
    mimic: float = 0.12  # shows the background itself, shifted and a little off in colour
    mimic_shift: Range = (0.0, 0.25)  # by so much
    mimic_gain: Range = (0.75, 1.2)  # and this much brighter
