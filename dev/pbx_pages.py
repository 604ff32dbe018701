"""`make pbx-pages`: the page of each PBX in docs/pbx/, made anew of its README, steps and advice."""

import sys

from .setup import paths, workplace
from .setup.console import say


def main() -> None:
    place = workplace.ensure()
    sys.path.insert(0, str(place.odoo.source.path))
    import odoo.addons

    odoo.addons.__path__.append(str(paths.ADDONS_DIR))
    from odoo.addons.crm_telephony.providers import registry
    from odoo.addons.crm_telephony.providers.advice import ADVICE
    from odoo.addons.crm_telephony.tests.providers.pages import FOLDER, pages

    FOLDER.mkdir(exist_ok=True)
    for file, text in pages(registry, ADVICE).items():
        file.write_text(text, 'utf-8')
        say(str(file.relative_to(paths.REPO)))


if __name__ == '__main__':
    main()
