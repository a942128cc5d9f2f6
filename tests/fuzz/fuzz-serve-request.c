/*
 * An Omaha request of a stranger, and the answer to it.
 */
#include "fuzz/fuzz.h"
#include "serve-answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static const char catalogue_text[] = "{\"format\": 1, \"payloads\": [], \"channels\": []}";
        _cleanup_(request_done) Request request = {};
        _cleanup_(catalogue_done) Catalogue catalogue = {};
        _cleanup_free_ char *text = NULL, *reason = NULL;
        Answer answers[REQUEST_APPS_MAX];
        const char *why = NULL;
        size_t n;
        int r;

        r = request_parse((const char *)data, size, &request, &why);
        if (r < 0) {
                assert(r == -ENOMEM || (r == -EBADMSG && why));
                return 0;
        }

        r = catalogue_parse(catalogue_text, strlen(catalogue_text), &catalogue, &reason);
        assert(r == 0);
        for (size_t i = 0; i < request.n_apps; i++)
                answers[i] = answer_decide(&catalogue, &request.apps[i]);
        r = answer_format(&request, answers, "http://host/", 0, &text, &n);
        assert(r == 0);
        return 0;
}
