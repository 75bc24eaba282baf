# Starts the zygote: python -c <this> CONTROL_FD SOURCES_FD EXTENSION_FD MODE PRELOAD.
# It must compile on any Python since 2.7, so that one that is too old can say so.


def boot():
    import os
    import sys

    control, sources, extension = [int(number) for number in sys.argv[1:4]]
    mode, preload = sys.argv[4:6]
    version = ".".join(str(part) for part in sys.version_info[:3])

    def fail(text):  # ZY_FAILED of wire.h
        import struct

        if not isinstance(text, bytes):
            text = text.encode("utf-8", "replace")
        text = text[:16000]
        os.write(control, struct.pack("=IIiiQQII", 105, 0, 0, 8, 0, 0, len(text), 0) + text)
        os._exit(3)

    def unusable(why):
        fail("%s is %s. Cellblock needs CPython 3.9 or newer: name one with --python." % (sys.executable, why))

    if getattr(sys, "implementation", None) and sys.implementation.name != "cpython":
        unusable("not CPython but %s" % sys.implementation.name)
    if hasattr(sys, "pypy_version_info"):
        unusable("not CPython but PyPy")
    if sys.version_info < (3, 9):
        unusable("Python %s, which is too old" % version)
    if "t" in getattr(sys, "abiflags", ""):
        unusable("a free-threaded build of Python %s, which cannot load the kernel's extension module" % version)

    # From importlib's own parts, which every Python has loaded: importlib.machinery costs a millisecond.
    from _frozen_importlib import ModuleSpec, module_from_spec
    from _frozen_importlib_external import ExtensionFileLoader

    package = "_cellblock_kernel"

    class Sources(object):
        """Imports the kernel's own modules from memory; as loader also gives tracebacks their source lines."""

        def __init__(self, data):
            self.files = {}
            # Its own copy: a cell that replaces or deletes a builtin does it to cells only.
            self.builtins = dict(sys.modules["builtins"].__dict__)
            while data:
                head, data = data.split(b"\n", 1)
                name, size = head.split()
                self.files["%s.%s" % (package, name.decode())] = data[: int(size)]
                data = data[int(size) :]

        def find_spec(self, name, path=None, target=None):
            if name in self.files:
                return ModuleSpec(name, self, origin="<cellblock>/%s.py" % name.split(".")[1])

        def create_module(self, spec):
            return None

        def exec_module(self, module):
            module.__file__ = module.__spec__.origin
            module.__dict__["__builtins__"] = self.builtins
            exec(compile(self.files[module.__name__], module.__file__, "exec", dont_inherit=True), module.__dict__)

        def get_source(self, name):
            return self.files[name].decode()

    try:
        path = "/proc/self/fd/%d" % extension
        loader = ExtensionFileLoader("_cellblock", path)
        spec = ModuleSpec("_cellblock", loader, origin=path)
        try:
            module = module_from_spec(spec)
            loader.exec_module(module)
        except ImportError as error:
            fail("%s (Python %s) cannot load the kernel's extension module: %s" % (sys.executable, version, error))
        module.__file__ = "<cellblock>/_cellblock.so"
        sys.modules["_cellblock"] = module
        module.close_except(*sorted((control, sources, extension)))
        os.close(extension)

        # pread: the server may have given the same open file to another zygote, which moves its position.
        finder = Sources(os.pread(sources, os.fstat(sources).st_size, 0))
        os.close(sources)
        sys.meta_path.append(finder)
        parent = ModuleSpec(package, None, is_package=True)
        sys.modules[package] = module_from_spec(parent)

        sys.argv[:] = [""]
        if hasattr(sys, "orig_argv"):
            sys.orig_argv[:] = [sys.executable]
        from _cellblock_kernel import zygote

        config = zygote.start(control, mode, [name for name in preload.split(",") if name])
    except BaseException:
        import traceback

        fail("%s (Python %s) failed to start:\n%s" % (sys.executable, version, traceback.format_exc()))
    zygote.enter_kernel(config)


boot()
