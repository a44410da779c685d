"""Factor libraries: sets of definitions with a common source, one data file each.

* `alpha158`: the 158 features of Qlib
* `alpha101`: the 101 formulaic alphas of Kakushadze (2016)
* `classic`: six classic factors and their stand-ins
* `style`: ten style factors in the manner of Barra's models
* `ta`: indicators of technical analysis with customary parameters
* `v1`: the 18 built-in factors of the first version of the system

A file says where its definitions come from and which rules they share; `loading` has its form.
"""

from quantflux.factors.libraries.loading import Library, library_names, load_library

__all__ = ["Library", "library_names", "load_library"]
