"""Options of a Trainer for tests: on the CPU, nothing printed, nothing logged."""

QUIET = {
    "accelerator": "cpu",
    "logger": False,
    "enable_progress_bar": False,
    "enable_model_summary": False,
}
