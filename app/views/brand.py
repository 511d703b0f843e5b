"""Serves the pictures and the style sheet of each product's brand: /brand/NAME."""

from hashlib import sha256

from flask import Blueprint, Response, abort, current_app
from flask.blueprints import BlueprintSetupState

from app.config.accents import Shades
from app.config.brand import RADII, Brand
from app.config.products import Products
from app.views import static_files, template_helpers

blueprint = Blueprint("brand", __name__)


@blueprint.get("/brand/<name>")
def show(name: str) -> Response:
    """Return the file; another one has another name, so browsers may cache it for a year."""
    files: dict[str, tuple[bytes, str]] = current_app.extensions["brand_files"]
    if name not in files:
        abort(404)
    content, mimetype = files[name]
    response = Response(content, mimetype=mimetype)
    response.cache_control.public = True
    response.cache_control.immutable = True
    response.cache_control.max_age = static_files.YEAR_SECONDS
    # Mail programs in browsers show the logo on pages of their own.
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    return response


@blueprint.record_once
def _collect_files(state: BlueprintSetupState) -> None:
    """Read the files of all products into memory: they are small, and the folder may change under a running service."""
    products: Products = state.app.extensions["products"]
    files: dict[str, tuple[bytes, str]] = {}
    sheets: dict[str, str] = {}
    for code, product in products.items():
        for picture in product.brand.pictures:
            files[picture.file_name] = (picture.content, picture.mimetype)
        if css := style_sheet(product.brand):
            sheets[code] = f"{sha256(css.encode()).hexdigest()[:20]}.css"
            files[sheets[code]] = (css.encode(), "text/css")
    state.app.extensions["brand_files"] = files
    state.app.jinja_env.globals.update(brand_url=_url, brand_sheets=sheets)


def _url(file_name: str) -> str:
    return f"{template_helpers.root_path()}/brand/{file_name}"


def style_sheet(brand: Brand) -> str:
    """Return the style sheet that lays the brand's colours and corners over the pages' own; empty without a brand."""
    radius = RADII[brand.corners]
    rules = [f":root{{--radius:{radius};--radius-small:{radius}}}"] if radius else []
    if brand.light and brand.dark:
        rules.append(f":root{{{_variables(brand.light)}}}")
        rules.append(f"@media screen and (prefers-color-scheme:dark){{:root{{{_variables(brand.dark)}}}}}")
    return "\n".join(rules)


def _variables(shades: Shades) -> str:
    names = {"accent": shades.accent, "accent-strong": shades.strong, "on-accent": shades.on_accent}
    return ";".join(f"--{name}:{colour}" for name, colour in {**names, "tint": shades.tint}.items())
