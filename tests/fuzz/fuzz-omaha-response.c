#include "fuzz/fuzz.h"
#include "omaha-response.h"

#define APP_ID "{e96281a6-d1af-4bde-9a0a-97b76e56dc57}"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        OmahaResponse response = {};
        UpdateFailure failure = {};
        int r;

        r = omaha_response_parse((const char *)data, size, APP_ID, &response, &failure);
        if (r >= 0 && response.verdict == OMAHA_UPDATE) {
                assert(response.urls.n_items > 0 && response.urls.n_items <= OMAHA_URLS_MAX);
                assert(response.n_packages > 0 && response.n_packages <= OMAHA_PACKAGES_MAX);
                assert(response.packages[0].size > 0 && *response.packages[0].name);
                assert(strlen(response.version) <= OMAHA_VALUE_MAX);
        } else if (r < 0)
                assert(failure.code != UPDATE_ERROR_NONE);

        omaha_response_done(&response);
        update_failure_done(&failure);
        return 0;
}
