#include "fuzz/fuzz.h"
#include "history.h"

/* Anything is a history; printed and read again it is the same text. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        char *text = strndup((const char *)data, size), *first = NULL, *second = NULL;
        History history = {}, again = {};

        if (text && history_parse(text, &history) >= 0 && history_print(&history, &first) >= 0) {
                int r = history_parse(first, &again);

                assert(r >= 0);
                r = history_print(&again, &second);
                assert(r >= 0 && streq(first, second));
        }

        history_done(&history);
        history_done(&again);
        free(text);
        free(first);
        free(second);
        return 0;
}
