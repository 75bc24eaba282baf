/* Popular distributions that the tables of modules do not name, sorted by strcmp: for names that are nearly right. */
#include "packages/provides_impl.h"

/* clang-format off */
const char *const provides_popular[] = {
    "aio-pika", "aioboto3", "aiobotocore", "aiogram", "aiokafka", "albumentations", "ale-py", "amqp", "ansible",
    "ansible-lint", "apispec", "argcomplete", "arq", "asttokens", "aws-cdk-lib", "awscli", "azure-cli", "backtesting",
    "bambi", "bandit", "beanie", "beartype", "bentoml", "bertopic", "bidict", "boto3-stubs", "botorch", "box2d-py",
    "build", "cachecontrol", "cantools", "captum", "cftime", "channels", "clearml", "cmake", "configargparse",
    "croniter", "cssselect2", "ctranslate2", "cuda-python", "cudf-cu12", "cx-freeze", "cyvcf2", "dagster", "daphne",
    "dask-expr", "databricks-connect", "dataclasses-json", "datadog", "dataset", "ddtrace", "deepface", "deepspeed",
    "dgl", "django-extensions", "django-redis", "dm-control", "dm-tree", "docopt-ng", "dpkt", "dramatiq", "dspy",
    "dynaconf", "environs", "exceptiongroup", "executing", "fairlearn", "featuretools", "flair", "flask-admin",
    "flask-compress", "flask-restx", "flask-session", "flit", "flit-core", "flower", "frozendict", "furo", "gdown",
    "geoalchemy2", "geoviews", "gguf", "glom", "gluonts", "google-auth-httplib2", "google-cloud-core", "gpytorch",
    "gspread-formatting", "guppy3", "h5netcdf", "hatch", "hatchling", "hiredis", "hnswlib", "httpie", "httptools",
    "huey", "ibm-db", "idna", "imgaug", "imutils", "interpret", "intervaltree", "ipdb", "ipyleaflet", "ipympl",
    "ipyparallel", "jaxlib", "jedi", "jiwer", "json5", "jsonpatch", "jsonpickle", "jsonpointer", "jupyter-book",
    "jupyter-server", "jupytext", "justext", "kedro", "keybert", "kombu", "kornia", "lancedb", "leafmap",
    "linearmodels", "llama-index-core", "lmdb", "luigi", "mapclassify", "mechanicalsoup", "mesa", "metaflow",
    "mimesis", "mkdocs-material", "moment", "monai", "mongoengine", "moto", "motor", "mpi4py", "msgspec", "mtcnn",
    "napari", "nbclient", "nbsphinx", "neptune", "newrelic", "nh3", "nicegui", "ninja", "nlopt", "nuitka", "numpy-stl",
    "objgraph", "obspy", "onnxruntime-gpu", "opencv-contrib-python", "opencv-contrib-python-headless", "opencv-python",
    "openvino", "osqp", "paddleocr", "pandarallel", "pandas-stubs", "parse", "parso", "pdm", "pip-audit", "pip-tools",
    "pipenv", "pipx", "playsound", "poetry", "poetry-core", "poliastro", "pre-commit", "prefect", "pulumi",
    "py-cpuinfo", "py-spy", "py4j", "pycodestyle", "pycuda", "pyflakes", "pygrib", "pygsheets", "pyjanitor",
    "pykalman", "pymilvus", "pymoo", "pympler", "pymssql", "pyod", "pyogrio", "pyppeteer", "pyquery", "pyright",
    "pyrsistent", "pyscipopt", "pyspellchecker", "pytest-benchmark", "pytest-django", "pytest-html", "pytest-timeout",
    "python-igraph", "pytubefix", "radon", "rasterstats", "redshift-connector", "requests-mock", "requests-ntlm",
    "resampy", "rioxarray", "rollbar", "rpy2", "ruptures", "rustworkx", "s3transfer", "sacremoses", "satpy",
    "schemathesis", "scikit-learn-intelex", "scp", "segmentation-models-pytorch", "selenium-wire", "seleniumbase",
    "setuptools-scm", "simpy", "snakeviz", "sniffio", "sphinx-rtd-theme", "splinter", "sqlalchemy-redshift",
    "sqlitedict", "stack-data", "stanza", "statsforecast", "stumpy", "symspellpy", "taichi", "telethon",
    "tensorboardx", "tensorflow-cpu", "tensorflow-text", "tesserocr", "textual", "tifffile", "time-machine",
    "tinycss2", "torch-scatter", "torch-sparse", "trafilatura", "triton", "twine", "typeguard", "types-pyyaml",
    "types-requests", "tzdata", "ultralytics", "uritemplate", "urwid", "uv", "validators", "virtualenv", "vllm",
    "voila", "vosk", "whisperx", "xformers", "xhtml2pdf", "xlutils", "xlwings", "xmlschema", "yake", "yapf", "yaspin",
    "zipline-reloaded", "zipp", "zxing-cpp",
};
/* clang-format on */
const size_t provides_n_popular = sizeof provides_popular / sizeof provides_popular[0];
