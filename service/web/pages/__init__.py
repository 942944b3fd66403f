"""The hub's pages, for people: rendered here, kept fresh by htmx, readable without a script."""

from service.web.pages.handlers import routes
from service.web.pages.page import error_page, sign_in_page

__all__ = ["error_page", "routes", "sign_in_page"]
