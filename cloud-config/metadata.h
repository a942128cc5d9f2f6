/*
 * The addresses that a cloud tells its host on a config drive, for $private_ipv4 and the like.
 */
#pragma once

#include "cloud-config/settings.h"

/*
 * Takes local-ipv4 and public-ipv4 of ec2/latest/meta-data.json. Addresses that are known already stay, values that are
 * no address are passed over. Returns 0, -EBADMSG when the text is no JSON object, or -ENOMEM.
 */
int metadata_parse_ec2(const char *text, Addresses *addresses) _must_check_;

/*
 * Takes the first address of each kind of openstack/latest/network_data.json: private is what the registries keep for
 * private networks (RFC 1918, 6598, 4193). Returns as metadata_parse_ec2().
 */
int metadata_parse_network(const char *text, Addresses *addresses) _must_check_;

/*
 * Reads both below root, of the first config drive that has one. Without a config drive nothing happens. Returns 0, or
 * -errno and in *ret_path (borrowed) the file in question; what was found before it is in addresses.
 */
int metadata_read(const char *root, Addresses *addresses, const char **ret_path) _must_check_;
