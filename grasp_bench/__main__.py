"""Run `grasp-bench` as `python -m grasp_bench`."""

from grasp_bench.cli.app import main

if __name__ == "__main__":
    main()
