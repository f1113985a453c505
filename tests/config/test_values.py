"""The values of a composed config are what OmegaConf resolves them to."""

import pytest
from omegaconf import IntegerNode, OmegaConf

from flowerexp.config.values import values


@pytest.mark.parametrize(
    "value",
    [
        *("${text}", "${number}", "${no}", "${empty}", "${none}", "${some.deep.text}", "${some.deep}", "${items}"),
        *("${chain}", "${some.chain}", "a ${text} b ${some.deep.text}", "${text}${number}", "${text}${none}"),
        *("$${text}", "${number} ", "${typed}", "${escaped}", "x ${escaped}", "${dollar}", "${1a}", "${tief.größe}"),
        *("${ text }", "${some[deep].text}", "${items.0}", "${items[1]}", "${.here}", "${..text}"),
        *(r"\${text}", r"a \${text} ${text}", r"\\${text}", r"a\b ${text}", "$text", "{text}", "${1}"),
        *("${oc.env:NOT_THERE,${text}}", "${oc.env:NOT_THERE,x} ${text}", "${ring}", "a ${ring}", "${missing}"),
        *("x ${missing}", "${to_missing}", "${nowhere}", "${text.more}", "${none.more}", "${some.nowhere} ${text}"),
        *("${some.${which}.text}", "${some.${which}.text} ${text}", "word"),
    ],
)  # fmt: skip
def test_what_is_resolved_quickly_is_what_omegaconf_gives(value):
    def given(way):
        try:
            return way()
        except Exception as error:
            return type(error), str(error)

    of_errors = {"ring": "${ringed}", "ringed": "x ${ring}", "missing": "???", "to_missing": "${missing}"}
    content = {
        **{"text": "word", "number": 3, "no": False, "empty": "", "none": None, "which": "deep", "dollar": "a $ b"},
        **{
            "digits": "12",
            "items": ["one", "${text}"],
            "chain": "${some.chain}",
            "escaped": r"a \${text}",
            "tief": {"größe": 1},
        },
        **{"some": {"deep": {"text": "inner"}, "chain": "${text} and ${some.deep.text}"}},
        **{"place": {"here": "near", "value": value, "list": [value, {"in": value}]}},
        **{key: held for key, held in of_errors.items() if key[:4] in value or "to_" + key in value},
    }
    config = OmegaConf.create(content)
    config.typed = IntegerNode("${digits}")
    quick = given(lambda: values(config))
    assert repr(quick) == repr(given(lambda: OmegaConf.to_container(config, resolve=True, throw_on_missing=True)))
