"""Secrets do not get into what is written down."""

import copy
import re

import pytest

from flowerexp.config import plain
from flowerexp.config.redact import HIDDEN, SPARK_PATTERN, hide_in, redacted, redacted_override, secrets


@pytest.mark.parametrize(
    "key",
    ["password", "PASSWORD", "db_passwd", "secret", "spark.hadoop.fs.s3a.secret.key", "token", "aws_access_key",
     "api_key", "apikey", "private_key", "credentials", "fs.azure.account.key.mine.dfs.core.windows.net", "db.pwd",
     "my.private.key", "fs.s3a.access.key", "proxy-authorization", "http.auth", "sas.fixed.token.box.account",
     "spark.executorEnv.API_TOKEN", "ssl.key.passphrase", "session_cookie"],
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
        ("http://me:p@ss@host/a", f"http://{HIDDEN}@host/a"),
        (r"http\://me\:p\=ss@host/a", rf"http\://{HIDDEN}@host/a"),
        ("http://h/?a=1&access_token=abc&b=2", f"http://h/?a=1&access_token={HIDDEN}&b=2"),
        ("jdbc:postgresql://h/d;user=me;password=abc", f"jdbc:postgresql://h/d;user=me;password={HIDDEN}"),
        ("-Da=b -Djavax.net.ssl.keyStorePassword=abc", f"-Da=b -Djavax.net.ssl.keyStorePassword={HIDDEN}"),
        ("AccountName=me;AccountKey=abc==;x=1", f"AccountName=me;AccountKey={HIDDEN};x=1"),
        ("Bearer abc.def-123", f"Bearer {HIDDEN}"),
        ("max_tokens=5&cache=on", "max_tokens=5&cache=on"),
    ],
)
def test_the_user_and_password_of_a_uri_are_hidden_and_nothing_else(uri, shown):
    assert redacted({"tracking": {"uri": uri}, "list": [uri]}) == {"tracking": {"uri": shown}, "list": [shown]}


def test_the_rest_is_the_same_and_the_original_is_not_touched(config):
    whole = plain(config())
    before = copy.deepcopy(whole)
    assert redacted(whole) == whole
    whole["entrypoint"]["settings"]["token"] = "hunter2"
    redacted(whole)
    assert whole["entrypoint"]["settings"].pop("token") == "hunter2"
    assert whole == before


def test_a_secret_that_is_not_set_stays_recognisable():
    assert redacted({"token": None}) == {"token": None}
    assert redacted({"use_token": False, "spark.authenticate.secret.on": True}) == {
        "use_token": False,
        "spark.authenticate.secret.on": True,
    }


@pytest.mark.parametrize("key", ["max_tokens", "tokenizer", "keys", "key", "monkey", "author", "pwd_length", "sigma"])
def test_what_only_sounds_like_one_is_shown(key):
    assert redacted({key: "a value"}) == {key: "a value"}


def test_an_override_is_hidden_by_its_key():
    assert redacted_override("+cluster.spark.fs.account.key.x='a b'") == f"+cluster.spark.fs.account.key.x={HIDDEN}"
    assert redacted_override("tracking.uri=http://a:b@c") == f"tracking.uri=http://{HIDDEN}@c"
    assert redacted_override("~tracking") == "~tracking"


def test_secrets_are_hidden_in_files_of_others(tmp_path):
    config = {"gcp": {"service_account": "me@x.iam"}, "uri": "http://user:pass@host/", "list": [{"password": "me"}]}
    assert set(secrets(config)) == {"me@x.iam", "user:pass", "me"}
    (tmp_path / "overrides.yaml").write_text("- gcp.service_account=me@x.iam\n- uri=http://user:pass@host/\n")
    hide_in(tmp_path.glob("*.yaml"), config)
    assert (tmp_path / "overrides.yaml").read_text() == "- gcp.service_account=***\n- uri=http://***@host/\n"


@pytest.mark.parametrize(
    "written",
    [
        r"- uri=http\://us\'er\:p\=a ss@host",
        "- 'uri=http://us''er:p=a ss@host'",
        "- uri=http://us'er:p=a\n    ss@host",
        '- "uri=http\\://us\\\'er\\:p\\=a\\\n  \\ ss@host"',
    ],
)
def test_however_hydra_and_yaml_write_a_secret_it_is_found(tmp_path, written):
    config = {"password": "us'er:p=a ss"}
    (tmp_path / "hydra.yaml").write_text(written)
    hide_in(tmp_path.glob("*.yaml"), config)
    assert (tmp_path / "hydra.yaml").read_text().count(HIDDEN) == 1
    assert "ss" not in (tmp_path / "hydra.yaml").read_text()
    assert "er" not in (tmp_path / "hydra.yaml").read_text()


def test_spark_hides_the_same_by_its_pattern():
    shown = {"spark.executor.memory": "1g", "spark.eventLog.dir": "file:///a/b", "spark.master": "local[2]"}
    hidden = {
        "spark.hadoop.fs.azure.account.key.a.dfs.core.windows.net": "x",
        "spark.hadoop.db.pwd": "x",
        "spark.hadoop.url": "https://me:x@example.org/",
        "spark.hadoop.jdbc": "jdbc:postgresql://h/d?password=x",
    }
    assert not any(re.search(SPARK_PATTERN, text) for item in shown.items() for text in item)
    assert all(any(re.search(SPARK_PATTERN, text) for text in item) for item in hidden.items())


def test_what_is_declared_of_a_secret_setting_is_no_secret():
    entrypoint = {"limits": {"password": {"type": "text"}}, "settings": {"password": "hunter2"}}
    assert redacted({"entrypoint": entrypoint}) == {
        "entrypoint": {"limits": {"password": {"type": "text"}}, "settings": {"password": "***"}}
    }
    assert [*secrets({"entrypoint": entrypoint})] == ["hunter2"]
