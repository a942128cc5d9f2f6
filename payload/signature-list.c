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

/*
 * The last one is for clients, those in front of it count down: the number is not signed, so it
 * is checked.
 */
static uint32_t signature_version(size_t index, size_t n)
{
        return (uint32_t)(SIGNATURE_VERSION_CLIENT + 1 + index - n);
}

static int signature_read(const WireSignature *wire, Signature *ret)
{
        size_t size = wire->data.len;

        if (wire->base.n_unknown_fields > 0) /* nothing of this is signed: no room to play */
                return -EBADMSG;
        if (!wire->has_data || size == 0 || size > SIGNATURE_SIZE_MAX)
                return -EBADMSG;
        memcpy(ret->data, wire->data.data, size);
        ret->version = wire->version;
        ret->size = size;
        if (wire->has_key_id) {
                if (wire->key_id.len != SHA256_SIZE)
                        return -EBADMSG;
                memcpy(ret->key_id, wire->key_id.data, SHA256_SIZE);
                ret->has_key_id = true;
        }
        if (!wire->has_unpadded_signature_size)
                return 0;

        if (wire->unpadded_signature_size == 0 || wire->unpadded_signature_size > size)
                return -EBADMSG;
        for (size_t i = wire->unpadded_signature_size; i < size; i++)
                if (ret->data[i] != 0)
                        return -EBADMSG;
        ret->padded_size = size;
        ret->size = wire->unpadded_signature_size;
        return 0;
}

static int signature_list_convert(uint64_t version, const WireSignatures *wire, SignatureList *ret,
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
                uint32_t number = signature_version(i, wire->n_signatures);

                if (version == HEADER_VERSION_1
                    && (!signature->has_version || signature->version != number))
                        return payload_refuse(error, PAYLOAD_REFUSAL_SIGNATURE,
                                              "signature %zu is not numbered as version %u", i,
                                              number);
                if (signature_read(signature, &list.items[i]) < 0)
                        return payload_refuse(
                                error, PAYLOAD_REFUSAL_SIGNATURE,
                                "signature %zu is empty, too large, badly padded, has a bad key id or more",
                                i);
                list.items[i].has_key_id &= version == HEADER_VERSION_2;
        }
        list.n_items = wire->n_signatures;

        *ret = list;
        list = (SignatureList) {};
        return 0;
}

int signature_list_parse(uint64_t version, const void *data, size_t size, SignatureList *ret,
                         PayloadError *error)
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

        r = signature_list_convert(version, wire, ret, error);
        chromeos_update_engine__signatures__free_unpacked(wire, NULL);
        return r;
}

static void signature_fill(uint64_t version, const SignatureList *list, size_t index,
                           WireSignature *ret)
{
        const Signature *signature = &list->items[index];

        *ret = (WireSignature)CHROMEOS_UPDATE_ENGINE__SIGNATURES__SIGNATURE__INIT;
        if (version == HEADER_VERSION_1) {
                ret->has_version = true;
                ret->version = signature_version(index, list->n_items);
        }
        ret->has_data = true;
        ret->data.data = (uint8_t *)signature->data; /* only read */
        ret->data.len = signature->size;
        if (signature->padded_size > 0) {
                ret->data.len = signature->padded_size;
                ret->has_unpadded_signature_size = true;
                ret->unpadded_signature_size = (uint32_t)signature->size;
        }
        if (version == HEADER_VERSION_2 && signature->has_key_id) {
                ret->has_key_id = true;
                ret->key_id.data = (uint8_t *)signature->key_id; /* only read */
                ret->key_id.len = SHA256_SIZE;
        }
}

int signature_list_write(uint64_t version, const SignatureList *list, Buffer *buffer)
{
        WireSignature signatures[SIGNATURES_MAX], *pointers[SIGNATURES_MAX];
        WireSignatures wire = CHROMEOS_UPDATE_ENGINE__SIGNATURES__INIT;
        _cleanup_free_ uint8_t *packed = NULL;
        size_t size;

        assert(list->n_items <= SIGNATURES_MAX);
        for (size_t i = 0; i < list->n_items; i++) {
                signature_fill(version, list, i, &signatures[i]);
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
