"""What every test of this project shares."""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "fulcrum",
    derandomize=True,
    deadline=None,
    print_blob=True,
    max_examples=25,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("fulcrum")
