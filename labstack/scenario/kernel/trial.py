# SPDX-License-Identifier: GPL-2.0-or-later
"""Trial: can the kernel be a target here? It is made, and thrown away."""

from labstack.live import doctor
from labstack.live.namespace import StepError
from labstack.scenario.kernel.nursery import NoKernelError
from labstack.scenario.kernel.target import Kernel


def trial() -> str:
    """Why not, with what would mend it; "" if it can."""
    try:
        Kernel().end()
    except NoKernelError as error:
        return str(error)
    except StepError as error:
        return doctor.render([doctor.device_check("veth", error)])
    return ""
