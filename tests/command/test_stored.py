"""Runs from before a key existed are read with its default."""

import yaml

from lmlab import config as configuration
from lmlab.command.stored import stored


def test_keys_and_parts_that_came_later_are_filled_in(tmp_path, tiny):
    config = configuration.plain(configuration.compose(tiny("model=transformer", "model.dropout=0.2")))
    older = yaml.safe_load(yaml.safe_dump(config))
    for place, key in ((older["model"], "norm_embedding"), (older["model"]["attention"], "dropout")):
        del place[key]
    del older["model"]["attention"]["backend"], older["model"]["position"]["scaling"]
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(older))
    assert configuration.plain(stored(path)) == config
