#include "payload/signature-list.h"
#include "payload/error.h"
#include "update_metadata.pb-c.h"

typedef ChromeosUpdateEngine__Signatures WireSignatures;
typedef ChromeosUpdateEngine__Signatures__Signature WireSignature;

void signature_list_done(SignatureList *list)
{
        free(list->items);
        *list = (SignatureList) {};
}

/* The last one is for clients, those in front of it count down: the number is not signed, so it is checked. */
static uint32_t signature_version(size_t index, size_t n)
{
        return (uint32_t)(SIGNATURE_VERSION_CLIENT + 1 + index - n);
}

static int signature_list_convert(const WireSignatures *wire, SignatureList *ret,
                                  PayloadError *error)
{
        _cleanup_(signature_list_done) SignatureList list = {};

        if (wire->n_signatures == 0 || wire->n_signatures > SIGNATURES_MAX)
                return payload_refuse(error, PAYLOAD_REFUSAL_SIGNATURE,
                                      "%zu signatures; 1 to %d are possible", wire->n_signatures,
                                      SIGNATURES_MAX);

        list.items = calloc(wire->n_signatures, sizeof(*list.items));
        if (!list.items)
                return payload_fail(error, PAYLOAD_REFUSAL_NONE, -ENOMEM, "reading signatures");

        for (size_t i = 0; i < wire->n_signatures; i++) {
                const WireSignature *signature = wire->signatures[i];
                uint32_t version = signature_version(i, wire->n_signatures);

                if (!signature->has_version || signature->version != version)
                        return payload_refuse(error, PAYLOAD_REFUSAL_SIGNATURE,
                                              "signature %zu is not numbered as version %u", i,
                                              version);
                if (!signature->has_data || signature->data.len == 0
                    || signature->data.len > SIGNATURE_SIZE_MAX)
                        return payload_refuse(error, PAYLOAD_REFUSAL_SIGNATURE,
                                              "signature %zu is empty or too large", i);
                list.items[i].version = signature->version;
                list.items[i].size = signature->data.len;
                memcpy(list.items[i].data, signature->data.data, signature->data.len);
        }
        list.n_items = wire->n_signatures;

        *ret = list;
        list = (SignatureList) {};
        return 0;
}

int signature_list_parse(const void *data, size_t size, SignatureList *ret, PayloadError *error)
{
        WireSignatures *wire;
        int r;

        if (size > SIGNATURES_SIZE_MAX) /* bounds what the decoder allocates */
                return payload_refuse(error, PAYLOAD_REFUSAL_SIGNATURE,
                                      "the signatures are too large");

        wire = chromeos_update_engine__signatures__unpack(NULL, size, data);
        if (!wire)
                return payload_refuse(error, PAYLOAD_REFUSAL_SIGNATURE,
                                      "the signatures are no valid protobuf message");

        r = signature_list_convert(wire, ret, error);
        chromeos_update_engine__signatures__free_unpacked(wire, NULL);
        return r;
}

int signature_list_write(const SignatureList *list, Buffer *buffer)
{
        WireSignature signatures[SIGNATURES_MAX], *pointers[SIGNATURES_MAX];
        WireSignatures wire = CHROMEOS_UPDATE_ENGINE__SIGNATURES__INIT;
        _cleanup_free_ uint8_t *packed = NULL;
        size_t size;

        assert(list->n_items <= SIGNATURES_MAX);
        for (size_t i = 0; i < list->n_items; i++) {
                signatures[i] = (WireSignature)CHROMEOS_UPDATE_ENGINE__SIGNATURES__SIGNATURE__INIT;
                signatures[i].has_version = true;
                signatures[i].version = signature_version(i, list->n_items);
                signatures[i].has_data = true;
                signatures[i].data.data = list->items[i].data;
                signatures[i].data.len = list->items[i].size;
                pointers[i] = &signatures[i];
        }
        wire.n_signatures = list->n_items;
        wire.signatures = pointers;

        size = chromeos_update_engine__signatures__get_packed_size(&wire);
        packed = malloc(size);
        if (!packed)
                return -ENOMEM;

        (void)chromeos_update_engine__signatures__pack(&wire, packed); /* its size again */
        return buffer_append(buffer, packed, size);
}
