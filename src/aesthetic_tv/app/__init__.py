"""The app: rate a few photos in the browser, and see your taste.

`build` and `launch` need gradio, which the extra `demo` installs.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__, submod_attrs={"server": ["build", "launch"], "settings": ["AppSettings"]}
)
