"""Matte: python predict.py model=FILE src=PICTURE_FOLDER_OR_VIDEO bgr=PLATE out=FOLDER."""

import hydra
from omegaconf import DictConfig, OmegaConf

from bgm.cli.launch import command_line, errors_of_a_job
from bgm.cli.unused_words import check_unused
from bgm.cli.word_kinds import check_kinds
from bgm.console import say, say_error
from bgm.infer.follow import FollowedSink, ShotFrames
from bgm.infer.foreground_bands import foreground_in_rows
from bgm.infer.frame_reports import Failures, FrameReports, open_reports
from bgm.infer.memory import LEAST, bytes_needed, memory_limit, plan_memory
from bgm.infer.models import Model, open_model
from bgm.infer.options import matte_steps, open_sink
from bgm.infer.output_record import OutputRecord
from bgm.infer.overwriting import check_overwriting
from bgm.infer.plate.fixes import plate_fixes
from bgm.infer.predict import predict
from bgm.infer.shot_list import ListedShot, check_apart, choose_shots, list_shots, one_shot
from bgm.paths import conf_dir
from bgm.pictures import limit_megapixels
from bgm.signals import StopOnSignal


@hydra.main(config_path=conf_dir(), config_name="predict", version_base="1.3")
def main(cfg: DictConfig) -> None:
    with errors_of_a_job(), open_reports(cfg.progress) as reports, StopOnSignal() as stop:
        check_kinds(cfg)
        check_unused(cfg)
        limit_megapixels(cfg.max_megapixels)
        if cfg.shots is None:
            shots = [one_shot(cfg.src, cfg.bgr, cfg.out)]
        else:
            shots = choose_shots(list_shots(cfg.shots, cfg.get("out")), cfg.shot)
        model = open_model(
            cfg.model,
            device=cfg.device,
            backbone_scale=cfg.backbone_scale,
            base_scale=cfg.base_scale,
            select=cfg.select,
            sample_pixels=cfg.sample_pixels,
            threshold=cfg.threshold,
            kernel_size=cfg.kernel_size,
            runtime=cfg.runtime,
            optimize=cfg.optimize,
            precision=cfg.precision,
            compile=cfg.compile,
        )
        failures = Failures(say_error)
        for shot in shots:
            with failures.of_shot(shot.name, alone=cfg.shots is None):
                matte_shot(cfg, shot, model, failures, reports, stop)
        failures.end(f"all else is in {shots[0].out if len(shots) == 1 else 'its place'}")


def matte_shot(
    cfg: DictConfig,
    shot: ListedShot,
    model: Model,
    failures: Failures,
    reports: FrameReports,
    stop: StopOnSignal,
) -> None:
    """Matte the frames of one shot that are not whole yet."""
    listed = cfg.shots is not None
    check_apart(shot)
    frames = ShotFrames(
        shot,
        reports,
        failures,
        listed=listed,
        linear=cfg.linear,
        fit=cfg.fit,
        ocio=cfg.ocio,
        ocio_space=cfg.ocio_space,
    )
    if cfg.calm and frames.stills:
        say(f"{shot.name}: calm={cfg.calm} is for videos, its pictures stay as they are")
    if cfg.align_every and frames.stills:
        say(f"{shot.name}: align_every={cfg.align_every} is for videos, pictures are aligned each")
    sink = open_sink(
        frames.frames,
        shot.out,
        cfg.outputs,
        cfg.background,
        output=cfg.output,
        alpha=cfg.alpha,
        compression=cfg.compression,
    )
    settings = settings_of(cfg)
    record = OutputRecord(shot, settings)
    check_overwriting(shot, frames.frames, sink, record.kinds(), settings)
    if cfg.resume:
        record.resume(say)
        frames.skip_whole(sink, record)
    limit = memory_limit(cfg.memory)
    plan = plan_memory(limit, frames.largest)
    if bytes_needed(plan, frames.largest) > limit:
        say(f"{shot.name}: {limit / 1e9:.1f} GB may not be enough: as little as can be at a time")
    count = predict(
        model.net,
        frames.to_matte(bar=cfg.progress == "bar"),
        FollowedSink(sink, record.write, frames.written),
        fixes=plate_fixes(cfg.align, cfg.exposure, cfg.align_every, cfg.fit),
        steps=matte_steps(cfg.calm, cfg.despeckle, cfg.holdout, cfg.garbage, frames.frames),
        foreground=foreground_in_rows(cfg.fgr, plan.rows),
        smaller_foreground=foreground_in_rows(cfg.fgr, LEAST.rows),
        plan=plan,
        at_once=model.frames_at_once(plan.at_once, frames.left),
        device=model.device,
        scale=model.scale,
        say=say,
        check=stop.check,
        broken=frames.broken,
    )
    if not frames.stills and not frames.whole:
        record.ended(count)
    whole = f", {frames.whole} were whole" if frames.whole else ""
    say(f"{count} {'frame' if count == 1 else 'frames'} matted to {shot.out}{whole}")


def settings_of(cfg: DictConfig) -> dict:
    """The keys of the command line as plain values; those that were not given are left out."""
    return {
        str(key): OmegaConf.to_container(value) if OmegaConf.is_config(value) else value
        for key, value in ((key, cfg[key]) for key in cfg if not OmegaConf.is_missing(cfg, key))
    }


if __name__ == "__main__":
    with command_line():
        main()
