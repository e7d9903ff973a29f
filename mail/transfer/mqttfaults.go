package transfer

import (
	"fmt"

	"github.com/eclipse/paho.golang/packets"
	"github.com/eclipse/paho.golang/paho"

	"watchpost/engine/foreign"
)

// refused is the fault of a reason code (MQTT 5 §2.4).
func (t mqttTarget) refused(step string, code byte, words string) *fault {
	f := &fault{kind: temporary, step: step, code: int(code), do: "It is tried again"}
	f.text = "The broker refuses: " + reason(code)
	if words != "" {
		f.text += " (" + foreign.Harmless(words, t.secret) + ")"
	}
	switch code {
	case packets.ConnackBadUsernameOrPassword, packets.ConnackNotAuthorized, packets.ConnackBadAuthenticationMethod, packets.ConnackBanned:
		f.kind, f.do = account, "Check the user name and password, and what the broker lets that user publish"
	case packets.ConnackServerUnavailable, packets.ConnackServerBusy, packets.ConnackConnectionRateExceeded, packets.DisconnectServerShuttingDown,
		packets.DisconnectKeepAliveTimeout, packets.DisconnectSessionTakenOver, packets.DisconnectAdministrativeAction:
		f.kind = network
	case packets.ConnackUnsupportedProtocolVersion:
		f.kind, f.do = account, "Use a broker that speaks MQTT 5 (Mosquitto from 1.6 on)"
	case packets.ConnackTopicNameInvalid, packets.ConnackPacketTooLarge, packets.ConnackPayloadFormatInvalid:
		f.kind, f.do = permanent, "Check the topic and the broker's limits; then retry"
	case packets.ConnackRetainNotSupported, packets.ConnackQoSNotSupported:
		f.kind, f.do = account, "Allow retained messages and QoS 1 on the broker"
	}
	return f
}

var reasons = map[byte]string{
	packets.ConnackUnspecifiedError: "it does not say why", packets.ConnackMalformedPacket: "it did not understand the packet",
	packets.ConnackProtocolError: "it sees an error of the protocol", packets.ConnackImplementationSpecificError: "for a reason of its own",
	packets.ConnackUnsupportedProtocolVersion: "it speaks no MQTT 5", packets.ConnackInvalidClientID: "it does not take this client's name",
	packets.ConnackBadUsernameOrPassword: "wrong user name or password", packets.ConnackNotAuthorized: "not allowed",
	packets.ConnackServerUnavailable: "it is unavailable", packets.ConnackServerBusy: "it is busy", packets.ConnackBanned: "this client is banned",
	packets.DisconnectServerShuttingDown: "it is shutting down", packets.ConnackBadAuthenticationMethod: "another way to log in is needed",
	packets.DisconnectKeepAliveTimeout: "it heard nothing for too long", packets.DisconnectSessionTakenOver: "another client came with the same name",
	packets.ConnackTopicNameInvalid: "the topic is not allowed", packets.ConnackPacketTooLarge: "the packet is too large",
	packets.ConnackQuotaExceeded: "a quota is used up", packets.ConnackPayloadFormatInvalid: "the content is not what it says",
	packets.ConnackRetainNotSupported: "it keeps no retained messages", packets.ConnackQoSNotSupported: "it does not offer QoS 1",
	packets.ConnackConnectionRateExceeded: "too many connections", packets.DisconnectAdministrativeAction: "an administrator ended it",
}

func reason(code byte) string {
	if text := reasons[code]; text != "" {
		return text
	}
	return fmt.Sprintf("reason 0x%02x", code)
}

func connackWords(ack *paho.Connack) string {
	if ack.Properties == nil {
		return ""
	}
	return ack.Properties.ReasonString
}
