#include "fuzz/fuzz.h"
#include "locksmith/handover.h"

/* Each line is a word of the command line. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_(handover_done) Handover handover = HANDOVER_NONE, again = HANDOVER_NONE;
        _cleanup_free_ char *text = strndup((const char *)data, size);
        _cleanup_(text_list_done) TextList words = {}, formatted = {};
        const char *wrong = NULL;

        if (!text || text_list_split(&words, text, "\n") < 0)
                return 0;
        if (handover_parse(words.n_items, words.items, &handover, &wrong) < 0) {
                assert(wrong);
                return 0;
        }

        assert(handover_format(&handover, &formatted) == 0);
        assert(formatted.n_items <= HANDOVER_WORDS_MAX);
        assert(handover_parse(formatted.n_items, formatted.items, &again, &wrong) == 0);
        assert(again.coordinator == handover.coordinator && again.n_hosts == handover.n_hosts);
        return 0;
}
