#include "fuzz/fuzz.h"
#include "locksmith/policy.h"

/* Whatever is read can be changed, written, and read again. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        Semaphore semaphore = SEMAPHORE_INITIAL;
        Policy policy, again;
        char *text;

        if (policy_parse((const char *)data, size, &policy) < 0)
                return 0;

        if (policy_apply_share(&policy, 77, &semaphore) >= 0
            && policy_count(&policy,
                            &(Failure) { .id = (char *)"a", .host = (char *)"", .why = (char *)"" },
                            1)
                       >= 0
            && policy_format(&policy, &text) == 0) {
                if (policy_parse(text, strlen(text), &again) == 0)
                        policy_done(&again);
                free(text);
        }
        (void)policy_forgive(&policy, "a");
        policy_done(&policy);
        return 0;
}
