"""Runs checks one after another and counts them."""


def main(name, checks):
    failed = 0
    for check in checks:
        try:
            check()
            print(f"ok   {name} {check.__name__}")
        except Exception as error:  # a check that breaks in any way has failed
            failed += 1
            print(f"FAIL {name} {check.__name__}: {type(error).__name__}: {error}")
    print(f"{len(checks) - failed} passed, {failed} failed")
    return 1 if failed else 0
