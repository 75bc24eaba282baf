#include "sandbox/plan.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

void plan_use_host_names(struct plan *plan)
{
    autofree char *resolver = realpath("/etc/resolv.conf", NULL);

    for (size_t i = 0; i < plan->n; i++) {
        struct step *step = &plan->steps[i];

        if (step->kind == STEP_BIND && resolver && strcmp(step->target, "/etc/resolv.conf") == 0) {
            free(step->source);
            step->source = xstrdup(resolver);
        } else if (step->kind == STEP_FILE && strcmp(step->target, "/etc/hosts") == 0 &&
                   access("/etc/hosts", R_OK) == 0) {
            step->kind = STEP_BIND;
            free(step->source);
            step->source = xstrdup("/etc/hosts");
            step->flags = STEP_OPTIONAL;
        }
    }
}
