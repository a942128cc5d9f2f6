/*
 * A catalogue that somebody has edited.
 */
#include "fuzz/fuzz.h"
#include "serve-catalogue.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_(catalogue_done) Catalogue catalogue = {};
        _cleanup_free_ char *why = NULL;
        int r;

        r = catalogue_parse((const char *)data, size, &catalogue, &why);
        if (r < 0)
                return 0;

        for (size_t i = 0; i < catalogue.n_channels; i++)
                assert(streq(catalogue.channels[i].version,
                             catalogue.channels[i].payload->version));
        for (size_t i = 0; i < catalogue.n_payloads; i++) {
                const CataloguePayload *payload = &catalogue.payloads[i];

                for (size_t k = 0; k < payload->n_packages; k++)
                        assert(payload->packages[k].size > 0
                               && catalogue_find_package(payload, payload->packages[k].name)
                                          == &payload->packages[k]);
        }
        return 0;
}
