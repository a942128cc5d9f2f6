#include "fuzz/fuzz.h"
#include "plan.h"

/* What is taken can be printed, and what is printed is taken again, to the same text. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        char *text = strndup((const char *)data, size), *first = NULL, *second = NULL;
        UpdatePlan plan = {}, again = {};

        if (text && update_plan_parse(text, &plan) >= 0 && update_plan_print(&plan, &first) >= 0) {
                int r = update_plan_parse(first, &again);

                assert(r >= 0);
                r = update_plan_print(&again, &second);
                assert(r >= 0 && streq(first, second));
        }

        update_plan_done(&plan);
        update_plan_done(&again);
        free(text);
        free(first);
        free(second);
        return 0;
}
