"""Secrets do not get into what is written down."""

import copy

import pytest

from flowerexp.config.redact import HIDDEN, hide_in, redacted, secrets


@pytest.mark.parametrize(
    "key",
    ["password", "PASSWORD", "db_passwd", "secret", "spark.hadoop.fs.s3a.secret.key", "token", "aws_access_key",
     "api_key", "apikey", "private_key", "credentials"],
)  # fmt: skip
@pytest.mark.parametrize("value", ["hunter2", 1234, ["hunter2", "hunter3"], {"name": "me", "value": "hunter2"}])
def test_nothing_under_a_secret_key_is_shown(key, value):
    hidden = redacted({"settings": {key: value}})
    assert "hunter" not in repr(hidden)
    assert "1234" not in repr(hidden)
    assert HIDDEN in repr(hidden)


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("http://me:hunter2@127.0.0.1:5000/a", f"http://{HIDDEN}@127.0.0.1:5000/a"),
        ("postgresql+psycopg://me@db/mlflow", f"postgresql+psycopg://{HIDDEN}@db/mlflow"),
        ("two: http://a:b@c and http://d:e@f", f"two: http://{HIDDEN}@c and http://{HIDDEN}@f"),
        ("http://127.0.0.1:5000/me@home", "http://127.0.0.1:5000/me@home"),
        ("sqlite:////home/me@work/mlflow.db", "sqlite:////home/me@work/mlflow.db"),
        ("me@example.org", "me@example.org"),
    ],
)
def test_the_user_and_password_of_a_uri_are_hidden_and_nothing_else(uri, shown):
    assert redacted({"tracking": {"uri": uri}, "list": [uri]}) == {"tracking": {"uri": shown}, "list": [shown]}


def test_the_rest_is_the_same_and_the_original_is_not_touched(config):
    plain = config()
    before = copy.deepcopy(plain)
    assert redacted(plain) == plain
    plain["entrypoint"]["settings"]["token"] = "hunter2"
    redacted(plain)
    assert plain["entrypoint"]["settings"].pop("token") == "hunter2"
    assert plain == before


def test_a_secret_that_is_not_set_stays_recognisable():
    assert redacted({"token": None}) == {"token": None}


def test_secrets_are_hidden_in_files_of_others(tmp_path):
    config = {"gcp": {"service_account": "me@x.iam"}, "uri": "http://user:pass@host/", "list": [{"password": "me"}]}
    assert set(secrets(config)) == {"me@x.iam", "user:pass", "me"}
    (tmp_path / "overrides.yaml").write_text("- gcp.service_account=me@x.iam\n- uri=http://user:pass@host/\n")
    hide_in(tmp_path.glob("*.yaml"), config)
    assert (tmp_path / "overrides.yaml").read_text() == "- gcp.service_account=***\n- uri=http://***@host/\n"
